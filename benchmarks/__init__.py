"""Speed and memory of aiomar beside curl and Python peers, over one nginx with mutual TLS; see README.md."""
