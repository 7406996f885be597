"""The report as one page of HTML: what it says as plain values, its charts, and the page around them."""
