int cf_process_placeholder(void) { return 0; }
