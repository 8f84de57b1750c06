import job_v3

if __name__ == "__main__":
    job_v3.main()
