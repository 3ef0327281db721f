"""From ``udfs.yaml`` to values: `load` reads and checks, `model` is the shape, `reader` guards the YAML."""
