"""What keeps a site running: the local stack, the server, workers and deployments."""
