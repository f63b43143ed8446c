"""The tables of the database: declarations, and what makes tables of them."""
