"""From a query to hits: the vector, the index, the ranking, in one service for every face."""
