"""
From requirements to bytes: everything that the functions of a manifest are made of, found, checked and measured.

This room reads the manifest's folder, asks package indexes, runs resolvers, pip and build backends, and writes the cache,
`udfs.lock` and nothing else; it knows runtimes as values and calls no service. Begin with `collect`, which is the way in; what it
returns is in `artifacts`, and what one function ships of it in its `Shipment`.

The rooms inside stand in the order of the road, and import only what comes before: `content` (hashes of a file) → `fetch`
(index, downloads, cache) → `inspect` (what is inside, and would it load) → `pack` (archives with the same bytes everywhere) →
`build` (wheels from source) → `lock` (`udfs.lock`, made and used) → and beside this page what meets in `collect`.
"""
