"""What each command of `quintet` does; `quintet.cli` declares their options."""
