import json


def handler(event, context):
    # An event is bytes; that of an HTTP trigger is a JSON document, with the request's body in it.
    name = event.decode()
    if name.startswith("{"):
        name = json.loads(name).get("body", "")
    if not name:
        raise ValueError("whom shall I greet?")
    return {"greeting": "Hello, " + name + "!"}
