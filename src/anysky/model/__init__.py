"""What backends return and portable classes hold: frozen data without any I/O."""
