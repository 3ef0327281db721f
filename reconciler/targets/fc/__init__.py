"""
Function Compute 3.0 as a target: functions, layers, versions, aliases, triggers and reserved concurrency.

Begin with `objects`. What is known of the service, and how, stands where it is used; nothing here was tried on a live account.
"""
