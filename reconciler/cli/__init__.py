"""
Commands: parse the arguments, call the steps, print, and exit.

May touch the terminal, the clock, the environment and Git; rooms below get what they need of these as arguments. Begin with
`entry`, then `plan`.
"""
