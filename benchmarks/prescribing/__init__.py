"""Does the advice help? Small models trained, judged by a real server, and trained again as it advised."""
