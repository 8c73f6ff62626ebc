"""Two versions side by side: a gradual shift, a judgement of what users see, and the way forward or back.

`judge` and `counters` know nothing of where a service runs, `machine` knows only that something deploys and something
observes. What is special to Kubernetes is in `observe` and `kubectl`, what is special to a stack in `sandbox` and
`deployed`.
"""
