"""The command line: words in, lines out. It has no logic of the protocol.

Start-up is a feature. ``app`` declares the commands and imports nothing but typer; what a command
needs is imported when it runs.
"""
