"""The command line: words in, lines out. No logic of the protocol lives here.

Start-up is a feature. ``app`` declares the commands and imports nothing but typer; what a command
needs is imported when it runs.
"""
