//! The texts of the pages in several languages. A server answers in its own language whatever the client asks for.

use std::fmt;
use std::str::FromStr;

use super::Hresult;

/// The language of the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Language {
    /// `en`
    #[default]
    English,
    /// `de`
    German,
    /// `fr`
    French,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::English, Self::German, Self::French];

    pub(super) const fn texts(self) -> &'static Texts {
        match self {
            Self::English => &ENGLISH,
            Self::German => &GERMAN,
            Self::French => &FRENCH,
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::English => "en",
            Self::German => "de",
            Self::French => "fr",
        })
    }
}

impl FromStr for Language {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL
            .into_iter()
            .find(|language| language.to_string() == text);
        found.ok_or_else(|| format!("{text:?} is no language; there are en, de and fr"))
    }
}

/// The texts of one language.
pub(super) struct Texts {
    pub(super) home_title: &'static str,
    pub(super) request_title: &'static str,
    pub(super) check_title: &'static str,
    pub(super) no_pending: &'static str,
    pub(super) ca_title: &'static str,
    pub(super) ca_certificate: &'static str,
    pub(super) issued_title: &'static str,
    pub(super) issued: &'static str,
    pub(super) download: &'static str,
    pub(super) download_chain: &'static str,
    pub(super) pending_title: &'static str,
    pub(super) pending: &'static str,
    pub(super) denied_title: &'static str,
    pub(super) denied: &'static str,
    pub(super) message_is: &'static str,
    pub(super) failed_title: &'static str,
    pub(super) failed: &'static str,
    pub(super) disposition: &'static str,
    pub(super) disposition_message: &'static str,
    pub(super) last_status: &'static str,
    pub(super) none: &'static str,
    pub(super) disposition_issued: &'static str,
    pub(super) under_submission: &'static str,
    pub(super) denied_by_policy: &'static str,
    pub(super) denied_by_administrator: &'static str,
    pub(super) error_parsing: &'static str,
    /// Before the number of a request.
    request_id: &'static str,
    meaning: fn(Hresult) -> &'static str,
}

impl Texts {
    pub(super) fn request_id(&self, id: u32) -> String {
        format!("{} {id}.", self.request_id)
    }

    pub(super) fn meaning(&self, code: Hresult) -> &'static str {
        (self.meaning)(code)
    }
}

static ENGLISH: Texts = Texts {
    home_title: "Certificate Services",
    request_title: "Submit a Certificate Request",
    check_title: "View the Status of a Pending Certificate Request",
    no_pending: "You have no pending certificate requests.",
    ca_title: "Download a CA Certificate, Certificate Chain, or CRL",
    ca_certificate: "CA certificate",
    issued_title: "Certificate Issued",
    issued: "The certificate you requested was issued to you.",
    download: "Download certificate",
    download_chain: "Download certificate chain",
    pending_title: "Certificate Pending",
    pending: "Your certificate request has been received. However, you must wait for an administrator to issue the \
              certificate you requested.",
    denied_title: "Certificate Request Denied",
    denied: "Your certificate request was denied.",
    message_is: "The disposition message is",
    failed_title: "Error",
    failed: "Your request failed. An error occurred while the server was processing your request.",
    disposition: "Disposition:",
    disposition_message: "Disposition message:",
    last_status: "LastStatus:",
    none: "(none)",
    disposition_issued: "Issued",
    under_submission: "Taken Under Submission",
    denied_by_policy: "Denied by Policy Module",
    denied_by_administrator: "Denied by Administrator",
    error_parsing: "Error Parsing Request",
    request_id: "Your Request Id is",
    meaning: Hresult::meaning,
};

static GERMAN: Texts = Texts {
    home_title: "Zertifikatdienste",
    request_title: "Zertifikatanforderung einreichen",
    check_title: "Status ausstehender Zertifikate anzeigen",
    no_pending: "Es stehen keine Zertifikate aus.",
    ca_title: "Zertifikat der Zertifizierungsstelle, Zertifikatkette oder Sperrliste herunterladen",
    ca_certificate: "Zertifikat der Zertifizierungsstelle",
    issued_title: "Zertifikat wurde ausgestellt",
    issued: "Das angeforderte Zertifikat wurde für Sie ausgestellt.",
    download: "Zertifikat herunterladen",
    download_chain: "Zertifikatkette herunterladen",
    pending_title: "Zertifikat steht aus",
    pending: "Ihre Zertifikatanforderung wurde empfangen. Warten Sie, bis ein Administrator das Zertifikat ausstellt.",
    denied_title: "Zertifikatanforderung wurde verweigert",
    denied: "Ihre Zertifikatanforderung wurde verweigert.",
    message_is: "Die Dispositionsmeldung lautet",
    failed_title: "Fehler",
    failed: "Fehler bei der Anforderung. Der Server konnte sie nicht verarbeiten.",
    disposition: "Disposition:",
    disposition_message: "Dispositionsmeldung:",
    last_status: "Letzter Status:",
    none: "(kein)",
    disposition_issued: "Ausgestellt",
    under_submission: "Als übermittelt angenommen",
    denied_by_policy: "Vom Richtlinienmodul verweigert",
    denied_by_administrator: "Vom Administrator verweigert",
    error_parsing: "Fehler beim Lesen der Anforderung",
    request_id: "Ihre Anforderungskennung ist",
    meaning: german,
};

fn german(code: Hresult) -> &'static str {
    match code {
        Hresult::OK => "Der Vorgang wurde erfolgreich beendet.",
        Hresult::UNSUPPORTED_TEMPLATE => {
            "Die angeforderte Zertifikatvorlage wird von dieser Zertifizierungsstelle nicht unterstützt."
        }
        Hresult::DENIED_BY_ADMINISTRATOR => "Ein Administrator hat die Anforderung verweigert.",
        _ => "Fehler.",
    }
}

static FRENCH: Texts = Texts {
    home_title: "Services de certificats",
    request_title: "Soumettre une demande de certificat",
    check_title: "Afficher les demandes en attente",
    no_pending: "Aucune demande en attente.",
    ca_title: "Télécharger un certificat d'autorité, une chaîne ou une liste de révocation",
    ca_certificate: "Certificat d'autorité",
    issued_title: "Certificat émis",
    issued: "Le certificat que vous avez demandé a été émis.",
    download: "Télécharger le certificat",
    download_chain: "Télécharger la chaîne de certificats",
    pending_title: "Certificat en attente",
    pending: "Votre demande de certificat a été reçue. Attendez qu'un administrateur émette le certificat.",
    denied_title: "Demande de certificat refusée",
    denied: "Votre demande de certificat a été refusée.",
    message_is: "Le texte de disposition est",
    failed_title: "Erreur",
    failed: "Échec de votre demande. Le serveur n'a pas pu la traiter.",
    disposition: "Disposition :",
    disposition_message: "Texte de disposition :",
    last_status: "Dernier statut :",
    none: "(aucun)",
    disposition_issued: "Émis",
    under_submission: "Prise en compte",
    denied_by_policy: "Refusé par le module de stratégie",
    denied_by_administrator: "Refusé par l'administrateur",
    error_parsing: "Erreur d'analyse de la demande",
    request_id: "Le numéro de votre demande est",
    meaning: french,
};

fn french(code: Hresult) -> &'static str {
    match code {
        Hresult::OK => "L'opération a réussi.",
        Hresult::UNSUPPORTED_TEMPLATE => {
            "Le modèle de certificat demandé n'est pas pris en charge par cette autorité."
        }
        Hresult::DENIED_BY_ADMINISTRATOR => "Un administrateur a refusé la demande.",
        _ => "Erreur.",
    }
}
