"""
Manifest: from ``udfs.yaml`` to checked values with positions, or to every problem there is.

The room reads the manifest, its policy and the attributes of files that they name, and writes nothing; it knows no service, for each
kind of target brings its `dialect` as a value. Begin with `load`, which takes the steps; `model` is the shape.
"""
