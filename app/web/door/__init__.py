"""Who comes in, and how: connections, proxies, names, the password, and which routes there are at all."""
