"""Every SQL statement. Functions take an open transaction and return curves and plain values, never rows."""
