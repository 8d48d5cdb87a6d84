"""What people look at: the demo shop and the page of the API's document."""
