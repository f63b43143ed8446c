"""What filters ask of photos, as arrays that follow the catalog: for a server that is asked again and again."""
