"""
Workflow: each command as a short list of steps over the rooms below.

It may touch whatever stands below it, but prints, asks and ends nothing: what a step needs from outside (environment,
cache folder, a connected target) comes in as an argument. Begin with `preparation.prepare` and `planning.make_plan`.
"""
