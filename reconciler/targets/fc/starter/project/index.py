from inflection import titleize


def handler(event, context):
    # An event is bytes.
    name = event.decode()
    if not name:
        raise ValueError("whom shall I greet?")
    return {"greeting": "Hello, " + titleize(name) + "!"}
