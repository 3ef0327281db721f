from pathlib import Path

import yaml

# Files of the source's folder lie beside the code, in /code, which cannot be written to.
SETTINGS = yaml.safe_load(Path(__file__).with_name("settings.yaml").read_text())


def handler(event, context):
    return SETTINGS[event.decode()]
