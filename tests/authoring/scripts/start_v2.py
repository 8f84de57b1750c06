import job_v2

if __name__ == "__main__":
    job_v2.main()
