"""The HTTP API and the server: requests in, service calls, answers and problems out."""
