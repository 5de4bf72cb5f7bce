"""What is true of leads, stages, money, places on a board and rules, whoever stores them. Pure: no clock, no I/O."""
