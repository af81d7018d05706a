"""After an export: retention, mirrors, sinks, and forgetting users."""
