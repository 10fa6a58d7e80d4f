"""The doors as the web has them: cookie and token, rate limits, the pages of coming in, the lock before a screen."""
