"""
Flink: jobs and functions of PyFlink, with the Python environments that their workers run in.

Begin with `rest`, which speaks to a cluster; `causes` says why a job failed. What runs in an environment is made and judged in
``packages/environment``, and a Flink of one's own stands in ``local/flink``.
"""
