"""
Browser: what `udfs ui` shows of a project, and what it lets somebody do.

`site` serves pages to whoever has the address, `survey` looks at the project and makes a page of it, `commands` runs what a
form asks for as the command line does.
"""
