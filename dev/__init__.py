"""What a development machine needs around the service: servers, and the supervisor behind `make run`.

Nothing here is imported by the apps or shipped in the image.
"""
