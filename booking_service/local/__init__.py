"""What `./run demo` and the tests start: real servers from wheels, a mail catcher, a supervisor.

Nothing here is needed in production, and nothing here imports the rest of the service.
"""
