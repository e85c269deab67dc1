"""The commands of ``dreamtalk``, one module each; ``model_server.cli`` lists them."""
