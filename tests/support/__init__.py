"""What the tests of several folders share. A folder of tests imports nothing from another one."""
