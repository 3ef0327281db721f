"""
Local Flink: a JobManager and a TaskManager of one's own on loopback, from the wheels of `apache-flink`.

It is Flink itself and not an imitation. Its processes are Java's, started here and ended here, and everything they write lies in the folder of
the store. Whoever can reach this machine's loopback can run programs by its REST interface, as this user: Flink asks nobody who they are.

Begin with `distribution`, which finds a Flink, and with `cluster`, which starts one; `configuration` is pure.
"""
