"""One file a pathology, one explicit catalogue. Pure: no clock, no environment, no database, no logging."""
