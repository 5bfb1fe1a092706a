-- Fennec's settings. All but `data` is a default here; `fennec settings` lists all settings.
-- Keys come from the environment: /etc/fennec/environment holds lines such as FAL_KEY=…

-- Where the service has its data (its unit says so, too): commands without --data work there.
data = "/var/lib/fennec"

-- listen     = "127.0.0.1:8080"
-- public_url = "https://media.example.com"   -- what result URLs begin with
-- groups     = { default = { price = 1.0, concurrency = 50, requests_per_minute = 6000 } }
-- providers  = { fal = { key = env "FAL_KEY" } }
