"""Serves a model over HTTP, sealed: the OpenAI-compatible API, the web page, the lock on egress.

Import from the modules; nothing is loaded by importing the package.
"""
