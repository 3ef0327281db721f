import magic


def handler(event, context):
    return {"mime": magic.from_buffer(event, mime=True)}
