"""What each producer of log lines prints, a module a family; ``kernel_log`` puts them together."""
