"""The sandbox: the program of `stacks/` on an emulated AWS, live on this machine."""
