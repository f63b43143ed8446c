"""Sidecars changed as text: every byte stays that belongs to nothing that changes. Bytes in, bytes out."""
