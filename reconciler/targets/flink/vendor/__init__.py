"""
Realtime Compute for Apache Flink, the vendor's service, by its API "ververica" of 2022-07-18 and the bucket of a workspace.

Begin with `deployments`, which says how a job is a deployment and back; `life` changes one without losing its state. Requests are JSON of our
own: the vendor's SDK adds empty lists to what is updated in part. Facts come from that SDK's source (1.14.0), from the vendor's pages and from
the public Terraform provider; nothing was tried on an account, and guesses are called guesses.
"""
