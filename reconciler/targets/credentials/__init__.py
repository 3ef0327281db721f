"""
Credentials of Alibaba Cloud: where they come from, whom they belong to, and how they are renewed while a command runs.

What a request is signed with is one `Credentials`, whole: key, secret and token of one session. A `KeySource` gives the
current ones at each request. `links` has the places that are looked at, in their order.
"""
