"""REST. The only place that knows HTTP status codes and JSON field names."""
