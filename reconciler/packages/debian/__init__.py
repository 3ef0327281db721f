"""
Debian packages: libraries, programs and data that functions need and no wheel has, without apt, dpkg, root or a container.

The road: `release` (what a suite's signature vouches for) → `index` (its packages) → `closure` (what belongs to what is asked for) →
`archive` (a .deb, unpacked without running anything of it) → `layout` (one folder of libraries, programs and data, without links).

Why no library: python-debian is under the GPL; debian-inspector (Apache) brings two more distributions for the fifty lines that
are `relations`, and its reader of relations prints. The judge of both is apt itself, and dpkg, in the tests.
"""
