module restartx/lab/shop

go 1.26
