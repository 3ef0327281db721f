"""
Files that are shipped beside a function's code. They run on the service: on its oldest Python, 3.7, and without anything of ours.
"""
