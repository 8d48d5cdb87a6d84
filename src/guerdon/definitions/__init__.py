"""What a project has defined, compiled once a process and kept up to date by the project's config_version."""
