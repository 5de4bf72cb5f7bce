from device_worker.main import main

main()
