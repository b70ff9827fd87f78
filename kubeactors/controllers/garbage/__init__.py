"""The garbage collector: deletes objects whose owners are gone. `graph` knows who owns whom, `controller` acts."""
